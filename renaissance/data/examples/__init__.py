"""What an example is: the columns that it has, and where their values come from."""
