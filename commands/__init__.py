"""The commands of `rundesk`, one module per noun."""
