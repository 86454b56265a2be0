"""How a run becomes processes, and how the desk stays sure of what became of them."""
