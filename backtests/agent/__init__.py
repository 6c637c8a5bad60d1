"""Tools for programs that write strategies: the commands, within limits of cost and inside one folder."""
