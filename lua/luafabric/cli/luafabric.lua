os.exit(require("luafabric.cli").main(arg), true)
