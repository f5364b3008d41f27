"""What people look at: HTML, plots, molecule views."""
