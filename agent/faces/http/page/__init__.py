"""The web page: rendered on the server from the desk's cards, kept up to date by htmx, charts as SVG."""
