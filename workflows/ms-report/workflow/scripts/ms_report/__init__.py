"""What the scripts of the mass spectrometry report are made of."""
