"""Holds our TensorRT files against the real modules' own signatures, without running them.

``read_pybind`` and ``read_cuda`` take names and signatures from modules that can be imported here; ``Checker`` walks a
file's syntax tree, follows what comes from ``trt`` and ``cuda`` through assignments, calls and annotations, and notes a
``Problem`` for every name that is not there and every call whose arguments do not fit. What it looked at are ``Site``s.
"""

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

# How our files call the two modules; TensorRT for RTX stands in TensorRT's place.
ROOTS = {"trt": "trt", "cuda": "cuda", "tensorrt": "trt", "tensorrt_rtx_bindings": "trt", "cudart": "cuda"}
PYTHON = {"str": str, "typing.SupportsInt": int, "int": int, "bool": bool}


@dataclass(frozen=True)
class Class:
    """``methods`` maps to overloads, ``properties`` to (type, may be set); ``members`` are an enumeration's."""

    bases: tuple[str, ...] = ()
    methods: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    properties: Mapping[str, tuple[str, bool]] = field(default_factory=dict)
    members: tuple[str, ...] = ()


@dataclass(frozen=True)
class Api:
    """``functions`` map to signatures, ``constants`` are plain values of the module."""

    name: str
    version: str
    classes: Mapping[str, Class]
    functions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    constants: tuple[str, ...] = ()


@dataclass(frozen=True)
class Parameter:
    name: str
    kind: str  # the type as the signature spells it, empty where it says none
    optional: bool


@dataclass(frozen=True)
class Signature:
    parameters: tuple[Parameter, ...]
    returns: str


def read_pybind(module: ModuleType, names: tuple[str, ...]) -> Api:
    """These classes (nested ones included) of a pybind11 module, by its documentation strings."""
    classes: dict[str, Class] = {}
    for name in names:
        if hasattr(module, name):
            _read_class(getattr(module, name), name, classes)
    return Api(name="trt", version=str(getattr(module, "__version__", "")), classes=classes, constants=("__version__",))


def _read_class(kind: Any, name: str, classes: dict[str, Class]) -> None:
    members = tuple(getattr(kind, "__members__", ()))
    methods: dict[str, tuple[str, ...]] = {}
    properties: dict[str, tuple[str, bool]] = {}
    for key, value in vars(kind).items():
        if key in members or (key.startswith("_") and key != "__init__"):
            continue
        if isinstance(value, property):
            _, arrow, returns = (value.fget.__doc__ or "").strip().partition("\n")[0].rpartition(" -> ")
            properties[key] = (plain(returns) if arrow else "", value.fset is not None)
        elif isinstance(value, type):
            _read_class(value, f"{name}.{key}", classes)
        elif callable(getattr(kind, key)) and not members and (found := signatures(getattr(kind, key), key)):
            methods[key] = found
    bases = tuple(base.__name__ for base in kind.__mro__[1:] if base.__module__ == kind.__module__)
    classes[name] = Class(bases, methods, properties, members)


def signatures(function: Any, name: str) -> tuple[str, ...]:
    """What pybind11 wrote in front of a function's documentation: one line, or a numbered one for each overload."""
    lines = (function.__doc__ or "").strip().splitlines()
    numbered = [match[1] for line in lines if (match := re.match(rf"\d+\. ({re.escape(name)}\(.*)", line))]
    found = numbered or [line for line in lines[:1] if line.startswith(f"{name}(self")]
    return tuple(plain(line) for line in found)


def plain(text: str) -> str:
    """A signature as Python's own grammar reads it, with the module called ``trt``."""
    text = re.sub(r"<[^<>]*>", "...", text).replace("::", ".")
    modules = r"tensorrt_lean_bindings\.tensorrt_lean|tensorrt_bindings\.tensorrt|tensorrt_rtx_bindings\.tensorrt_rtx"
    return re.sub(rf"\b({modules})\b", "trt", text)


def read_cuda(module: ModuleType, version: str) -> Api:
    """``cuda.bindings.runtime``: functions by the first line of their documentation, enumerations, structures."""
    classes: dict[str, Class] = {}
    functions: dict[str, tuple[str, ...]] = {}
    constants: list[str] = []
    for name in dir(module):
        value = getattr(module, name)
        if name.startswith("_") or isinstance(value, ModuleType):
            continue
        if isinstance(value, type):
            members = tuple(getattr(value, "__members__", ()))
            shown = () if members else tuple(key for key in dir(value) if not key.startswith("_"))
            classes[name] = Class(properties=dict.fromkeys(shown, ("", True)), members=members)
        elif callable(value):
            line = (value.__doc__ or "").strip().partition("\n")[0]
            if line.startswith(f"{name}("):
                functions[name] = (_python_signature(line),)
        elif isinstance(value, int):
            constants.append(name)
    return Api("cuda", version, classes, functions, tuple(constants))


def _python_signature(line: str) -> str:
    """``f(size_t count, kind: cudaMemcpyKind, stream)`` -> ``f(count, kind: cuda.cudaMemcpyKind, stream)``."""
    name, _, inside = line.rstrip(")").partition("(")
    made = []
    for part in filter(None, (piece.strip() for piece in inside.split(","))):
        left, colon, right = part.partition(":")
        word = left.split()[-1].lstrip("*")
        kind = right.strip().removesuffix("]").removeprefix("Optional[")
        made.append(f"{word}: {f'cuda.{kind}' if kind.startswith('cuda') else repr(kind)}" if colon else word)
    return f"{name}({', '.join(made)})"


def parse(signature: str) -> Signature:
    tree = ast.parse(f"def {signature}: ...").body[0]
    assert isinstance(tree, ast.FunctionDef)
    args = tree.args.args
    first_default = len(args) - len(tree.args.defaults)
    parameters = tuple(
        Parameter(arg.arg, ast.unparse(arg.annotation) if arg.annotation else "", index >= first_default)
        for index, arg in enumerate(args)
    )
    return Signature(parameters, ast.unparse(tree.returns) if tree.returns else "")


@dataclass(frozen=True)
class Site:
    """One place where our code names something of the real module: ``owner`` is what it is asked of."""

    file: str
    line: int
    column: int  # where the name begins
    name: str
    owner: str
    kind: str  # name, keyword, argument or override


@dataclass(frozen=True)
class Problem:
    site: Site
    text: str

    def __str__(self) -> str:
        return f"{self.site.file}:{self.site.line}: {self.site.owner}.{self.site.name}: {self.text}"


@dataclass(frozen=True)
class Thing:
    """What an expression is: a module, a class of it, an instance, a method or function."""

    what: str
    module: str
    name: str = ""


Env = dict[str, Thing | None]


class Checker:
    """Walks one file. ``sites`` and ``problems`` are filled by ``check``."""

    def __init__(self, apis: Mapping[str, Api]) -> None:
        self.apis = apis
        self.sites: list[Site] = []
        self.problems: list[Problem] = []
        self.file = ""

    def check(self, source: str, file: str) -> None:
        self.file = file
        self._block(ast.parse(source).body, {})

    # statements

    def _block(self, body: list[ast.stmt], env: Env) -> None:
        for statement in body:
            self._statement(statement, env)

    def _statement(self, node: ast.stmt, env: Env) -> None:
        match node:
            case ast.FunctionDef():
                self._function(node, dict(env))
            case ast.ClassDef():
                self._class(node, env)
            case ast.AnnAssign():
                found = self._annotation(node.annotation)
                value = self._infer(node.value, env) if node.value else None
                self._assign(node.target, found or value, env)
                if found and isinstance(node.target, ast.Name):
                    env[f"declared {node.target.id}"] = found
            case ast.Assign():
                value = self._infer(node.value, env)
                for target in node.targets:
                    self._assign(target, value, env)
            case _:
                for child in ast.iter_child_nodes(node):
                    if isinstance(child, ast.stmt):
                        self._statement(child, env)
                    elif isinstance(child, ast.expr):
                        self._infer(child, env)
                    else:  # handlers, with-items, match cases
                        self._inside(child, env)

    def _inside(self, node: ast.AST, env: Env) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.stmt):
                self._statement(child, env)
            elif isinstance(child, ast.expr):
                self._infer(child, env)
            else:
                self._inside(child, env)

    def _function(self, node: ast.FunctionDef | ast.Lambda, env: Env) -> None:
        for arg in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs):
            env[arg.arg] = self._annotation(arg.annotation) if arg.annotation else None
        if isinstance(node, ast.Lambda):
            self._infer(node.body, env)
            return
        for default in (*node.args.defaults, *filter(None, node.args.kw_defaults)):
            self._infer(default, env)
        if node.returns:
            self._annotation(node.returns)
        self._block(node.body, env)

    def _class(self, node: ast.ClassDef, env: Env) -> None:
        inner = dict(env)
        for base in node.bases:
            found = self._infer(base, inner)
            if found and found.what == "class":
                self._overrides(node, found)
        for statement in node.body:
            if isinstance(statement, ast.FunctionDef):
                scope = dict(inner)
                self._function(statement, scope)
                inner |= {key: thing for key, thing in scope.items() if key.startswith("self.")}
            else:
                self._statement(statement, inner)

    def _overrides(self, node: ast.ClassDef, base: Thing) -> None:
        """A subclass's public methods are what the real library calls: their names and parameters must be its own."""
        for method in node.body:
            if not isinstance(method, ast.FunctionDef) or method.name.startswith("_"):
                continue
            column = method.col_offset + len("def ")
            site = Site(self.file, method.lineno, column, method.name, f"{base.module}.{base.name}", "override")
            self.sites.append(site)
            overloads = self.apis[base.module].classes[base.name].methods.get(method.name)
            given = [arg.arg for arg in method.args.args]
            if overloads is None:
                self._problem(site, "overrides nothing of that class")
            elif given not in [[p.name for p in parse(text).parameters] for text in overloads]:
                self._problem(site, f"takes {', '.join(given)}, the class says {'; '.join(overloads)}")

    def _assign(self, target: ast.expr, value: Thing | None, env: Env) -> None:
        match target:
            case ast.Name():
                env[target.id] = value or env.get(f"declared {target.id}")
            case ast.Attribute(value=ast.Name(id="self")):
                env[f"self.{target.attr}"] = value
            case ast.Attribute():
                owner = self._infer(target.value, env)
                if owner is not None:
                    self._member(owner, target, setting=True)
            case ast.Tuple() | ast.List():
                for part in target.elts:
                    self._assign(part, None, env)
            case _:
                self._infer(target, env)

    def _annotation(self, node: ast.expr) -> Thing | None:
        """An instance of the class that is annotated; ``X | None`` counts as X."""
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            inside = ast.parse(node.value, mode="eval").body
            for part in ast.walk(inside):  # positions within the file, behind the opening quote
                if isinstance(part, ast.expr):
                    part.lineno = part.end_lineno = node.lineno
                    part.col_offset = node.col_offset + 1 + part.col_offset
                    part.end_col_offset = node.col_offset + 1 + (part.end_col_offset or 0)
            node = inside
        if isinstance(node, ast.BinOp):
            return self._annotation(node.left) or self._annotation(node.right)
        found = self._infer(node, {}) if isinstance(node, ast.Attribute) else None
        return Thing("instance", found.module, found.name) if found and found.what == "class" else None

    # expressions

    def _infer(self, node: ast.expr, env: Env) -> Thing | None:
        match node:
            case ast.Name():
                if node.id in ROOTS and env.get(node.id) is None:
                    return Thing("module", ROOTS[node.id])
                return env.get(node.id)
            case ast.Attribute(value=ast.Name(id="self")) if node.attr not in ROOTS:
                return env.get(f"self.{node.attr}")
            case ast.Attribute():
                owner = self._infer(node.value, env)
                if owner is None:
                    return Thing("module", ROOTS[node.attr]) if node.attr in ("trt", "cuda") else None
                return self._member(owner, node)
            case ast.Call():
                return self._call(node, env)
            case ast.Lambda():
                self._function(node, dict(env))
                return None
            case ast.NamedExpr():
                value = self._infer(node.value, env)
                self._assign(node.target, value, env)
                return value
            case ast.ListComp() | ast.SetComp() | ast.GeneratorExp() | ast.DictComp():
                scope = dict(env)
                for part in node.generators:
                    self._infer(part.iter, scope)
                    self._assign(part.target, None, scope)
                    for condition in part.ifs:
                        self._infer(condition, scope)
                for child in (node.key, node.value) if isinstance(node, ast.DictComp) else (node.elt,):
                    self._infer(child, scope)
                return None
            case _:
                self._inside(node, env)
                return None

    def _member(self, owner: Thing, node: ast.Attribute, setting: bool = False) -> Thing | None:
        api = self.apis[owner.module]
        shown = f"{owner.module}.{owner.name}".rstrip(".")
        end = node.end_col_offset or 0
        site = Site(self.file, node.end_lineno or node.lineno, end - len(node.attr), node.attr, shown, "name")
        self.sites.append(site)
        if owner.what == "module":
            if node.attr in api.classes:
                return Thing("class", owner.module, node.attr)
            if node.attr in api.functions:
                return Thing("function", owner.module, node.attr)
            if node.attr not in api.constants:
                self._problem(site, "the module has no such name")
            return None
        if owner.what not in ("class", "instance"):
            self._problem(site, "is asked of a function")
            return None
        if f"{owner.name}.{node.attr}" in api.classes:
            return Thing("class", owner.module, f"{owner.name}.{node.attr}")
        for name in (owner.name, *api.classes[owner.name].bases):
            kind = api.classes.get(name, Class())
            if node.attr in kind.members:
                return Thing("instance", owner.module, name)
            if node.attr in kind.methods:
                return Thing("method" if owner.what == "instance" else "unbound", owner.module, f"{name}.{node.attr}")
            if node.attr in kind.properties:
                returns, settable = kind.properties[node.attr]
                if setting and not settable:
                    self._problem(site, "cannot be set")
                return self._instance(returns)
        self._problem(site, "the class has no such name")
        return None

    def _call(self, node: ast.Call, env: Env) -> Thing | None:
        function = self._infer(node.func, env)
        given = [(None, arg, self._infer(arg, env)) for arg in node.args]
        given += [(word.arg, word.value, self._infer(word.value, env)) for word in node.keywords]
        if function is None:
            return None
        overloads = self._overloads(function)
        if not overloads:
            return None
        end = node.func.end_col_offset or 0
        name = ast.unparse(node.func).rpartition(".")[2]
        line, shown = node.func.end_lineno or node.lineno, f"{function.module}.{function.name}"
        site = Site(self.file, line, end - len(name), name, shown, "call")
        self.sites.append(site)
        complaints = []
        for text in overloads:
            signature = parse(text)
            own = (
                function.what in ("method", "class")
                and signature.parameters[:1] != ()
                and (signature.parameters[0].name in ("self", "arg0"))
            )
            complaint = self._fits(signature.parameters[1:] if own else signature.parameters, given)
            if not complaint:
                returned = signature.returns
                return (
                    Thing("instance", function.module, function.name)
                    if function.what == "class"
                    else self._instance(returned)
                )
            complaints.append(complaint)
        self._problem(site, "; ".join(complaints))
        return None

    def _overloads(self, function: Thing) -> tuple[str, ...]:
        api = self.apis[function.module]
        if function.what == "function":
            return api.functions[function.name]
        if function.what in ("method", "unbound"):
            name, _, method = function.name.rpartition(".")
            return api.classes[name].methods[method]
        if function.what == "class":
            return api.classes[function.name].methods.get("__init__", ())
        return ()

    def _fits(self, wanted: tuple[Parameter, ...], given: list[tuple[str | None, ast.expr, Thing | None]]) -> str:
        """Why these arguments do not fit; empty where they do."""
        if any(isinstance(value, ast.Starred) or False for _, value, _ in given):
            return "takes starred arguments, which cannot be checked"
        names = [parameter.name for parameter in wanted]
        placed: dict[str, tuple[ast.expr, Thing | None]] = {}
        for index, (word, value, thing) in enumerate(given):
            if word is None and index >= len(wanted):
                return f"takes {len(wanted)} arguments, is given {len(given)}"
            name = names[index] if word is None else word
            if name not in names or name in placed:
                return f"has no argument {name} to give here"
            placed[name] = (value, thing)
        for parameter in wanted:
            if parameter.name not in placed:
                if not parameter.optional:
                    return f"lacks the argument {parameter.name}"
                continue
            if complaint := self._suits(parameter, *placed[parameter.name]):
                return complaint
        return ""

    def _suits(self, parameter: Parameter, value: ast.expr, thing: Thing | None) -> str:
        wanted = self._instance(parameter.kind)
        if wanted is not None and thing is not None:
            family = (thing.name, *self.apis[thing.module].classes.get(thing.name, Class()).bases)
            if thing.what != "instance" or thing.module != wanted.module or wanted.name not in family:
                return f"{parameter.name} is {thing.module}.{thing.name} ({thing.what}), must be {parameter.kind}"
        literal = (
            str if isinstance(value, ast.JoinedStr) else type(value.value) if isinstance(value, ast.Constant) else None
        )
        if literal in (str, int, bool) and parameter.kind in PYTHON and not issubclass(literal, PYTHON[parameter.kind]):
            return f"{parameter.name} is {literal.__name__}, must be {parameter.kind}"
        if wanted is not None and literal is not None and literal is not type(None):
            return f"{parameter.name} is {literal.__name__}, must be {parameter.kind}"
        return ""

    def _instance(self, text: str) -> Thing | None:
        module, _, name = text.partition(".")
        known = module in self.apis and name in self.apis[module].classes
        return Thing("instance", module, name) if known else None

    def _problem(self, site: Site, text: str) -> None:
        self.problems.append(Problem(site, text))


def misspellings(source: str, sites: list[Site]) -> Iterator[tuple[Site, str]]:
    """The source with each named place misspelt in turn: two letters swapped, or one added if equal."""
    lines = source.splitlines(keepends=True)
    for site in {(s.line, s.column, s.name): s for s in sites}.values():
        line = lines[site.line - 1]
        raw = line.encode()
        before, found, after = (
            raw[: site.column].decode(),
            raw[site.column : site.column + len(site.name.encode())].decode(),
            raw[site.column + len(site.name.encode()) :].decode(),
        )
        assert found == site.name, f"{site.file}:{site.line}: {found!r} stands where {site.name!r} was seen"
        swapped = found[:-2] + found[-1] + found[-2]
        wrong = swapped if swapped != found else f"{found}x"
        yield site, "".join([*lines[: site.line - 1], before + wrong + after, *lines[site.line :]])


def broken_calls(source: str, apis: Mapping[str, Api], file: str) -> Iterator[tuple[int, str]]:
    """The source with each checked call changed in turn: one argument more, and its last one left out where it has any;
    gives the line and the source."""
    checker = Checker(apis)
    checker.check(source, file)
    calls = {(site.line, site.column + len(site.name.encode())) for site in checker.sites if site.kind == "call"}
    for more in (True, False):
        for line, end in sorted(calls):
            tree = ast.parse(source)
            for node in ast.walk(tree):
                if isinstance(node, ast.Call) and (node.func.end_lineno, node.func.end_col_offset) == (line, end):
                    if more:
                        node.args = [*node.args, *[ast.Constant(0)] * 4]
                    elif node.args:
                        node.args = node.args[:-1]
                    elif node.keywords:
                        node.keywords = node.keywords[:-1]
                    else:
                        break
                    yield line, ast.unparse(tree)
                    break
