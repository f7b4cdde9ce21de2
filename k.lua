-- own leak check: options raised mid; wait NaN skip; watched fd + huge; header " "
local curl=require"luafabric.curl"
local t=curl.transport{}
print(pcall(t.start,t,{method="GET\0x",url="http://127.0.0.1:18765/x",["send_once\0"]=true,purpose=1}))
print(pcall(t.start,t,{method="GET",url="http://127.0.0.1:18765/x",headers={["Proxy-Connection"]="x",["Keep-Alive"]="1",Trailer="x",["HTTP2-Settings"]="z"}}))
