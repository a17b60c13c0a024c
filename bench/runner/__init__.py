"""The parent process: from a request to worker processes, in order, until every round is on record."""
