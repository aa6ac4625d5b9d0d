"""Where a study is shown besides the terminal: experiment trackers, a webhook, traces. All off by default.

A study never waits for them. Trackers run in processes of their own and read the store; webhook and traces have a
thread each. What fails is told in one line of the study's journal (`EventKind.WATCHER`) and switched off.
"""
