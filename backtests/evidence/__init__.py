"""What speaks for a result beyond its equity curve: skill, luck, stress."""
