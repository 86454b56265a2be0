"""The server side of the portal: HTML page, sign-in, account menu, Content-Security-Policy."""
