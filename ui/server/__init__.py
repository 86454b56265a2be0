"""What runs in the server of the portal: page shell, sign-in, CSP, theme."""
