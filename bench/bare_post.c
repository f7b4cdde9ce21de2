/*
** The base line of bench/first_byte.lua: a program that does nothing but POST with libcurl.
** usage: bare_post URL CA_FILE
*/

#include <curl/curl.h>

int main (int argc, char **argv) {
  CURL *easy;
  CURLcode result;
  if (argc != 3) return 2;
  curl_global_init(CURL_GLOBAL_DEFAULT);
  easy = curl_easy_init();
  if (!easy) return 2;
  curl_easy_setopt(easy, CURLOPT_URL, argv[1]);
  curl_easy_setopt(easy, CURLOPT_CAINFO, argv[2]);
  curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
  curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
  curl_easy_setopt(easy, CURLOPT_POSTFIELDS, "{}");
  result = curl_easy_perform(easy);
  curl_easy_cleanup(easy);
  return result == CURLE_OK ? 0 : 1;
}
