"""The SIP: a batch as a producer delivered it. Read only: nothing here writes below the inbox."""
