"""The policy: rows that say what becomes of each format, and why; loaded whole or refused whole."""
