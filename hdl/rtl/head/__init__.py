"""Behind the sums: activation, random classifier, error, gradient."""
