"""Trained models: QVAE-Mole, its NISQ-native variant, losses, training, checkpoints."""
