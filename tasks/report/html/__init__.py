"""The pages themselves: HTML from what was gathered, without scripts, in the language in force."""
