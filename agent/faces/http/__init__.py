"""`tunewright serve`: the HTTP job API, the web page and the chat endpoints over one desk."""
