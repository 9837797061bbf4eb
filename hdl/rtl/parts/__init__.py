"""What all kinds of engines are made of."""
