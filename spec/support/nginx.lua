-- A real nginx on loopback with TLS and HTTP/2, for specs of the transport. Everything it needs is
-- made in a scratch folder: an authority, a certificate for localhost, one for another name, and
-- one for localhost that has expired.

local shell = require "spec.support.shell"

local M = {}

local config = [[
daemon off;
master_process off;
worker_processes 1;
error_log %(dir)s/error.log;
pid %(dir)s/nginx.pid;
events { worker_connections 128; }
http {
  access_log off;
  client_body_temp_path %(dir)s/body;
  proxy_temp_path %(dir)s/proxy;
  fastcgi_temp_path %(dir)s/fastcgi;
  uwsgi_temp_path %(dir)s/uwsgi;
  scgi_temp_path %(dir)s/scgi;
  server {
    listen 127.0.0.1:%(port)d ssl http2;
    ssl_certificate %(dir)s/good.pem;
    ssl_certificate_key %(dir)s/good.key;
    location /protocol { return 200 "$server_protocol $connection"; }
    location /submit {
      add_header Location "/v1/jobs/instances/1" always;
      return 202;
    }
    location /bomb {
      add_header Content-Encoding gzip;
      alias %(dir)s/bomb.gz;
    }
    location /redirect { return 307 https://localhost:%(other_port)d/protocol; }
    location /v1/ {
      proxy_pass http://127.0.0.1:%(upstream)d;
      proxy_http_version 1.1;
      proxy_request_buffering off;
    }
  }
  server {
    listen 127.0.0.1:%(plain_port)d;
    keepalive_requests 1000000;
    location / { return 200 '{"status":"InProgress","id":"%(plain_port)d"}'; }
  }
  server {
    listen 127.0.0.1:%(other_port)d ssl http2;
    ssl_certificate %(dir)s/other.pem;
    ssl_certificate_key %(dir)s/other.key;
    location / { return 200 "$http_authorization"; }
  }
  server {
    listen 127.0.0.1:%(expired_port)d ssl http2;
    ssl_certificate %(dir)s/expired.pem;
    ssl_certificate_key %(dir)s/expired.key;
    location / { return 200 "expired"; }
  }
  server {
    listen 127.0.0.1:%(old_port)d ssl;
    ssl_certificate %(dir)s/good.pem;
    ssl_certificate_key %(dir)s/good.key;
    ssl_protocols TLSv1.1;
    ssl_ciphers "ALL:@SECLEVEL=0";
    location / { return 200 "old"; }
  }
}
]]

local certificates = [[
set -e
cd %(dir)s
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -keyout ca.key \
  -out ca.pem -subj "/CN=luafabric test authority"
for name in good other expired; do
  host=localhost days=2
  [ $name != other ] || host=other.example
  [ $name != expired ] || days=-1
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout $name.key \
    -out $name.csr -subj "/CN=$host"
  printf 'subjectAltName=DNS:%s' $host > $name.ext
  openssl x509 -req -days $days -in $name.csr -CA ca.pem -CAkey ca.key -CAcreateserial \
    -extfile $name.ext -out $name.pem
done
head -c 20000000 /dev/zero | gzip -9 > bomb.gz
]]

--- A text with its %(name)s filled in.
---@param text string
---@param values table<string, any>
---@return string
function M.fill(text, values)
  return (text:gsub("%%%((%w[%w_]*)%)[sd]", function(name) return tostring(values[name]) end))
end

local port_script = [[
local uv = require "luv"
local sockets = {}
for index = 1, tonumber(arg[1]) do
  sockets[index] = uv.new_tcp()
  sockets[index]:bind("127.0.0.1", 0)
  print(sockets[index]:getsockname().port)
end]]

--- Ports that nobody listens on, as far as can be seen. luv is in a process of its own: it does
--- not bear being loaded again, as busted does between files.
---@param count integer
---@return integer[] ports
function M.free_ports(count)
  local ports = {}
  local code, output = shell.run(("%s - %d <<'END'\n%s\nEND"):format(
    os.getenv("LUAFABRIC_LUA") or "lua5.4", count, port_script))
  assert(code == 0, output)
  for port in output:gmatch("%d+") do ports[#ports + 1] = tonumber(port) end
  return ports
end

--- Starts it and waits until it answers.
---@param upstream integer|nil  port of the http server behind /v1/
---@return table server  { url, other_url, expired_url, old_url, plain_url, ca_file,
---                      close = function }
function M.start(upstream)
  local core = require "luafabric.core"
  local dir = shell.scratch()
  local ports = M.free_ports(5)
  local values = { dir = dir, port = ports[1], other_port = ports[2], old_port = ports[3],
    plain_port = ports[4], expired_port = ports[5], upstream = upstream or ports[4] }
  local code, output = shell.run(M.fill(certificates, values))
  assert(code == 0, output)
  local file = assert(io.open(dir .. "/nginx.conf", "w"))
  file:write(M.fill(config, values))
  file:close()
  local child = assert(core.spawn {
    args = { "/usr/sbin/nginx", "-c", dir .. "/nginx.conf", "-p", dir, "-e", dir .. "/error.log" },
  })
  local server = { ca_file = dir .. "/ca.pem", dir = dir,
    url = "https://localhost:" .. ports[1], other_url = "https://localhost:" .. ports[2],
    expired_url = "https://localhost:" .. ports[5],
    old_url = "https://localhost:" .. ports[3], plain_url = "http://127.0.0.1:" .. ports[4] }
  function server.close()
    child:close()
    shell.remove(dir)
  end
  local transport = require("luafabric.curl").transport { ca_file = server.ca_file }
  for _ = 1, 500 do
    transport:start { method = "GET", url = server.url .. "/protocol" }
    local completion = transport:wait(10)[1]
    if completion and completion.status == 200 then
      transport:close()
      return server
    end
    local ended = child:wait(0.01)
    assert(not ended, "nginx did not start: see " .. dir .. "/error.log")
  end
  error("nginx does not answer")
end

return M
