"""The lake: logs that serving appends to, days that the loop reads."""
