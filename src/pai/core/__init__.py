"""What PAI can do and knows. No framework, socket, SQL or cryptography library is imported from here."""
