"""What people look at, made from the log and the store alone: summaries, tables, pages."""
