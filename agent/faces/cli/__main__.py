from agent.faces.cli.commands import main

main()
