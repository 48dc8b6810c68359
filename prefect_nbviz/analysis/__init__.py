"""What a history of states says: stays, attempts, lengths. Pure functions from frames to frames."""
