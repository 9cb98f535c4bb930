"""The smallest function: greets whoever the event names."""


def f(event):
    name = event.get("name", "world") if isinstance(event, dict) else "world"
    return {"message": f"Hello, {name}!"}
