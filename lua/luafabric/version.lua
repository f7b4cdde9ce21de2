-- The version, for `luafabric --version`, the User-Agent and `require "luafabric"._VERSION`.

return "0.1.0"
