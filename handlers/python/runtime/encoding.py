"""What answers may hold beyond the types of JSON."""
import sys


def default(value):
    decimal = sys.modules.get("decimal")  # whoever has a Decimal has imported it
    if decimal is not None and isinstance(value, decimal.Decimal):
        return float(value)  # as on AWS
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")
