"""Documents every class and function once: in its module, not in its package too."""

import griffe


class ModulesOnly(griffe.Extension):
    """Forgets which imported names a package exports."""

    def on_package(self, *, pkg: griffe.Module, **kwargs: object) -> None:
        """Called with a package whose modules are all loaded."""
        modules = [pkg]
        while modules:
            module = modules.pop()
            module.exports = None
            modules += [m for m in module.modules.values() if not m.is_alias]
