"""What runs inside a resident's sandbox. Nothing here is imported by our process; each file is started as a program."""
