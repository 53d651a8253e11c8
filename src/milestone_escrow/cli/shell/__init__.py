"""What all commands share: options, keys, the state folder, output, and the edge of the program."""
