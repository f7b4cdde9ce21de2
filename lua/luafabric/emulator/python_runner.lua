-- The Python program that runs one notebook with Jupyter's nbclient, as text: it is fed to
-- Python's standard input, so that no file has to be found in any kind of installation. Its
-- input: the number of its own bytes, itself, then one line of JSON that describes the run. Its
-- output: one line of JSON, the result. When its input ends (the run is cancelled, or the emulator
-- is gone) it ends the kernel, with everything that the kernel started, and itself.

local M = {}

--- Reads the program from standard input; the arguments of Python.
M.arguments = { "-c", "import sys\nsize = int(sys.stdin.buffer.readline())\n"
  .. "exec(compile(sys.stdin.buffer.read(size), 'run_notebook', 'exec'))" }

--- Prints the names of the modules that are missing, and nothing else.
M.check_arguments = { "-c", "import importlib.util as u\nprint(' '.join(m for m in "
  .. "('nbformat', 'nbclient', 'ipykernel') if not u.find_spec(m)))" }

M.source = [==[
import ctypes, json, keyword, os, re, shutil, signal, sys, tempfile, threading

results = os.dup(1)          # the kernel and its children write to 1: only the result goes here
os.dup2(2, 1)
client = None
runner = os.getpid()
libc = ctypes.CDLL(None)
task = json.loads(sys.stdin.buffer.readline())
tempfile.tempdir = task["scratch"]   # of this process: the kernel's connection file goes with it

MAX_BYTES = 32 * 1024 * 1024                       # Fabric's limits for a notebook
MAX_CODE_CELLS = 256
MAX_EXIT_VALUE = 8 * 1024 * 1024


def kernel_group(signal_number):
    """Signals the kernel and whatever it started: it leads a session of its own."""
    manager = getattr(client, "km", None)
    provisioner = getattr(manager, "provisioner", None)
    pid = getattr(provisioner, "pid", None)
    if pid:
        try:
            os.killpg(pid, signal_number)
        except OSError:
            pass


def end(code):
    kernel_group(signal.SIGKILL)
    shutil.rmtree(task["scratch"], ignore_errors=True)
    os._exit(code)


def finish(**result):
    line = json.dumps(result).encode() + b"\n"
    while line:
        line = line[os.write(results, line):]
    end(0)


def fail(message, code="JobInstanceStatusFailed"):
    finish(status="Failed", failure_reason={"errorCode": code, "message": message})


def watch_parent():
    while os.read(0, 65536):
        pass
    end(3)


def die_with_runner():
    """In the kernel's process, before its program: it never outlives this one."""
    libc.prctl(1, signal.SIGKILL)                  # PR_SET_PDEATHSIG
    if os.getppid() != runner:
        os._exit(1)


def read_notebook(path):
    import nbformat
    name = os.path.basename(path)
    try:
        if os.path.getsize(path) > MAX_BYTES:
            fail("%s is larger than 32 MB, the most that Fabric takes" % name)
        with open(path, encoding="utf-8") as file:
            notebook = nbformat.reads(file.read(), as_version=4)
        nbformat.validate(notebook)
    except OSError as error:
        fail("%s cannot be read: %s" % (name, error.strerror))
    except Exception as error:
        reason = str(error).strip().splitlines() or [type(error).__name__]
        fail("%s is not a notebook: %s" % (name, reason[0][:300]))
    language = notebook.metadata.get("language_info", {}).get("name") \
        or notebook.metadata.get("kernelspec", {}).get("language") or "python"
    if language.lower() not in ("python", "ipython"):
        fail("%s is written in %s; the emulator runs Python notebooks only" % (name, language))
    if sum(cell.cell_type == "code" for cell in notebook.cells) > MAX_CODE_CELLS:
        fail("%s has more than 256 code cells, the most that Fabric takes" % name)
    return notebook


def parameters():
    """The run's parameters, read from the request's own text: every number is exact."""
    if not task.get("source"):
        return {}
    body = json.loads(task["body"])
    if task["source"] == "list":
        return {p["name"]: p["value"] for p in body.get("parameters") or []}
    execution = body.get("executionData") or {}
    return {name: p["value"] for name, p in (execution.get("parameters") or {}).items()}


def inject(notebook, values):
    """As papermill does: a cell after the first one tagged `parameters`, or at the top; one that
    was injected before gives way."""
    import nbformat
    if not values:
        return
    for name in values:
        if not name.isidentifier() or keyword.iskeyword(name):
            fail("the parameter name %r is not a Python name" % name)
    source = "".join("%s = %r\n" % item for item in values.items())
    cell = nbformat.v4.new_code_cell(source, metadata={"tags": ["injected-parameters"]})
    if (notebook.nbformat, notebook.nbformat_minor) < (4, 5):
        cell.pop("id", None)
    def tagged(tag):
        return [i for i, c in enumerate(notebook.cells) if tag in c.metadata.get("tags", [])]

    for index in reversed(tagged("injected-parameters")):
        del notebook.cells[index]
    notebook.cells.insert((tagged("parameters") or [-1])[0] + 1, cell)


PRELUDE = r'''
def _luafabric_prelude():
    import builtins, sys, types

    class LuafabricNotebookExit(Exception):
        """Ends the notebook; caught by the notebook itself it has no effect, as in Fabric."""

    def exit(value=""):
        raise LuafabricNotebookExit(str(value))

    def missing(name):
        def call(*args, **kwargs):
            raise NotImplementedError("notebookutils.%s is not in the emulator" % name)
        return call

    class Utilities(types.ModuleType):
        def __getattr__(self, name):
            if name.startswith("__"):
                raise AttributeError(name)
            return missing("%s.%s" % (self.__name__.split(".", 1)[-1], name))

    notebook = Utilities("notebookutils.notebook")
    notebook.exit = exit
    utilities = types.ModuleType("notebookutils")
    utilities.notebook = notebook
    for name in ("fs", "credentials", "lakehouse", "runtime", "session", "variableLibrary", "env"):
        setattr(utilities, name, Utilities("notebookutils." + name))
    utilities.mssparkutils = utilities
    for name in ("notebookutils", "mssparkutils"):
        sys.modules[name] = utilities
        setattr(builtins, name, utilities)
    sys.modules["notebookutils.notebook"] = sys.modules["mssparkutils.notebook"] = notebook

_luafabric_prelude()
del _luafabric_prelude
'''


def plain(text):
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def execute(notebook):
    global client
    from jupyter_client.manager import AsyncKernelManager
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, DeadKernelError

    class Client(NotebookClient):
        async def async_start_new_kernel(self, **kwargs):
            await super().async_start_new_kernel(preexec_fn=die_with_runner, **kwargs)

        async def async_start_new_kernel_client(self):
            channels = await super().async_start_new_kernel_client()
            reply = await channels.execute_interactive(
                PRELUDE, silent=True, store_history=False, output_hook=lambda message: None)
            if reply["content"]["status"] != "ok":
                raise RuntimeError("notebookutils could not be set up")
            return channels

    client = Client(
        notebook, timeout=None, kernel_name="python3", shutdown_kernel="immediate",
        kernel_manager_class=AsyncKernelManager, store_widget_state=False,
        resources={"metadata": {"path": os.path.dirname(task["notebook"]) or "."}})
    try:
        client.execute()
    except CellExecutionError as error:
        if error.ename == "LuafabricNotebookExit":
            return error.evalue
        name = os.path.basename(task["notebook"])
        lines = plain(error.traceback).split("-" * 18 + "\n")[-1].strip().splitlines()
        text = "\n".join(lines[:-1] if lines[-1:] == lines[-2:-1] else lines)
        sys.stderr.write("%s: a cell failed\n%s\n" % (name, text))
        sys.stderr.flush()
        fail("System cancelled the Spark session due to statement execution failures",
             "System_Cancelled_Session_Statements_Failed")
    except DeadKernelError:
        fail("the notebook's kernel died")
    return None


def main():
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=watch_parent, daemon=True).start()
    notebook = read_notebook(task["notebook"])
    inject(notebook, parameters())
    value = execute(notebook)
    if value is not None:
        encoded = value.encode("utf-8", "replace")     # half a surrogate pair is no text
        if len(encoded) > MAX_EXIT_VALUE:
            fail("the exit value is larger than 8 MB")
        value = encoded.decode()
    finish(status="Completed", exit_value=value)


try:
    main()
except Exception as error:
    sys.stderr.write("running %s failed: %r\n" % (task["notebook"], error))
    fail("the emulator could not run the notebook: %s" % (str(error) or type(error).__name__))
]==]

return M
