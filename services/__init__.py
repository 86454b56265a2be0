"""The product: everything portal and API do is a call to something in here."""
