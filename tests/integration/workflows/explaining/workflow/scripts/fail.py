def load():
    return {}["mz"]


load()
