def said():
    return "kept"
