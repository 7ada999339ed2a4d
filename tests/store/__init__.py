"""The history database: its schema, its opening, its journal, and what injures them."""
