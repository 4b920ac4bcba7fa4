"""What is allocated: curves of return, and portfolios of them."""
