/*
** Certificates to trust, read before the first connection. Implemented in curl_trust.c. No Lua in here.
*/
#if !defined(luafabric_curl_trust_h)
#define luafabric_curl_trust_h

#include <curl/curl.h>

/* Has libcurl read a bundle of certificates for this multi handle, in which nothing may be under way.
** Where that fails, the first connection says why. */
void trust_load (CURLM *multi, const char *ca_file);

#endif
