"""The halves of a resident program: `kinds`, `process`, `slot` live in our process, `program/` lives in the sandbox."""
