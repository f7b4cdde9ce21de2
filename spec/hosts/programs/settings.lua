-- What the scenario is given, in programs that are started with an environment of their own.

return {
  endpoint = os.getenv("SCENARIO_ENDPOINT"), faults = os.getenv("SCENARIO_FAULTS"),
  host = os.getenv("SCENARIO_HOST"), store = os.getenv("SCENARIO_STORE"),
  figures = os.getenv("SCENARIO_FIGURES") ~= nil,
  tls = { url = os.getenv("SCENARIO_TLS"), other_url = os.getenv("SCENARIO_OTHER_TLS"),
    expired_url = os.getenv("SCENARIO_EXPIRED_TLS"), ca_file = os.getenv("SCENARIO_CA_FILE") },
}
