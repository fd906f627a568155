"""What `predict` leaves: the file of answers, the rejected rows, the summary."""
