"""An AIP as the pipeline works on it: what it holds, what is known of each file, what is settled, what is to do."""
