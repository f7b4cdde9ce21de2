-- A program without an event loop.
print(require("spec.hosts.scenario").run(require "spec.hosts.programs.settings"))
