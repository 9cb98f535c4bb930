"""From "module.callable" to what is called for each event."""
import importlib
import os
import sys
import types
from _frozen_importlib import ModuleSpec, _ModuleLockManager
from _frozen_importlib_external import SourceFileLoader
from _imp import is_frozen

import troupe_errors
from troupe_host import modules_at_start

_varargs = 0x04  # CO_VARARGS of a code object

# What the zygote imported beyond the modules that a plain python3 has loaded before it looks into a bundle.
_preloaded = frozenset()


def remember_imports():
    """Called in the zygote, once everything is imported."""
    global _preloaded
    _preloaded = frozenset(name for name in sys.modules if "." not in name) - frozenset(modules_at_start)


def _give_way(entries, task_root):
    """A file of the bundle comes before a module of the standard library of that name, as for `python3 file.py`,
    although the zygote has imported that module already."""
    for entry in entries:
        name = entry.removesuffix(".py")
        if name not in _preloaded:
            continue
        if name == entry and not os.path.isfile(f"{task_root}/{name}/__init__.py"):
            continue
        for loaded in [key for key in sys.modules if key == name or key.startswith(name + ".")]:
            del sys.modules[loaded]


def _load_source(name, folder):
    """The module that importlib makes of a source file, without the small functions by which it does so: each of them
    copies pages of a new sandbox. No bytecode is looked for. OSError when there is no such file."""
    path = f"{folder}/{name}.py"
    loader = SourceFileLoader(name, path)
    code = loader.source_to_code(loader.get_data(path), path)
    spec = ModuleSpec(name, loader, origin=path)
    spec.cached = f"{folder}/__pycache__/{name}.{sys.implementation.cache_tag}.pyc"
    spec.has_location = True
    module = types.ModuleType(name)
    module.__spec__, module.__loader__, module.__package__ = spec, loader, ""
    module.__file__, module.__cached__ = path, spec.cached
    return code, module


def _run(code, module):
    """As importlib does it: another thread that imports it waits. What has taken the module's place in sys.modules
    meanwhile is the module."""
    name, spec = module.__name__, module.__spec__
    with _ModuleLockManager(name):
        spec._initializing = True
        sys.modules[name] = module
        try:
            exec(code, module.__dict__)
            return sys.modules[name]
        except BaseException:
            sys.modules.pop(name, None)
            raise
        finally:
            spec._initializing = False


def _import(name, entries, task_root):
    """What importlib does, by the short way where nothing else can be meant than the one source file of that name."""
    alike = [entry for entry in entries if entry.partition(".")[0] in (name, "__pycache__")]
    if alike != [name + ".py"] or name in sys.modules or name in sys.builtin_module_names or is_frozen(name):
        return importlib.import_module(name)
    try:
        code, module = _load_source(name, task_root)
    except OSError:  # a directory of that name
        return importlib.import_module(name)
    return _run(code, module)


def takes_context(handler, bound=0):
    """Whether it is called with (event, context), or with (event): by the number of positional parameters, of which
    `bound` are given already."""
    function = handler
    if isinstance(handler, types.MethodType):
        function, bound = handler.__func__, bound + 1
    if not isinstance(function, types.FunctionType):
        return _signature_takes_two(handler)
    code = function.__code__
    if not code.co_flags & _varargs:
        return code.co_argcount - bound >= 2
    # A decorator that passes on whatever comes: what it wraps decides.
    wrapped = getattr(function, "__wrapped__", None)
    return wrapped is None or takes_context(wrapped, bound)


def _signature_takes_two(handler):
    import inspect  # 10 ms that plain functions need not pay

    try:
        parameters = inspect.signature(handler).parameters.values()
    except (TypeError, ValueError):  # a builtin that does not tell: two, the convention of AWS
        return True
    kinds = [parameter.kind for parameter in parameters]
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return inspect.Parameter.VAR_POSITIONAL in kinds or sum(kind in positional for kind in kinds) >= 2


def _syntax_error(module_name, error):
    stack = [f'  File "{error.filename}", line {error.lineno}\n    {(error.text or "").strip()}\n']
    message = f"Syntax error in module '{module_name}': {error}"
    return troupe_errors.make("Runtime.UserCodeSyntaxError", message, "", stack)


def load(handler_name, task_root):
    """(callable, whether it takes a context), or an error document as str. SystemExit passes."""
    module_path, dot, callable_name = handler_name.rpartition(".")
    module_name = module_path.replace("/", ".")
    if not dot or not all(module_name.split(".")) or not callable_name:
        return troupe_errors.make("Runtime.MalformedHandlerName", f"Bad handler '{handler_name}'", "")
    try:
        sys.path.insert(0, task_root)
        sys.path_importer_cache.pop(task_root, None)
        entries = os.listdir(task_root)
        _give_way(entries, task_root)
        module = _import(module_name, entries, task_root)
    except ImportError as error:
        prefix = f"Unable to import module '{module_name}': "
        return troupe_errors.document_as("Runtime.ImportModuleError", prefix, error, "")
    except SyntaxError as error:
        return _syntax_error(module_name, error)
    except SystemExit:
        raise
    except BaseException as error:
        return troupe_errors.document(error, "")
    handler = getattr(module, callable_name, None)
    if handler is None:
        message = f"Handler '{callable_name}' missing on module '{module_name}'"
        return troupe_errors.make("Runtime.HandlerNotFound", message, "")
    if not callable(handler):
        message = f"Handler '{callable_name}' of module '{module_name}' is not callable"
        return troupe_errors.make("Runtime.HandlerNotFound", message, "")
    return handler, takes_context(handler)
