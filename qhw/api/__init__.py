"""What `import qhw` offers."""
