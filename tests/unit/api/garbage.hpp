// Byte strings that are no request of ours: malformed, oversized, cut off. Each must be answered with a 4xx, or the
// connection closed.
#pragma once

#include <string>
#include <vector>

namespace plimsoll::api {

/// Whole enough that the refusal must come at once.
inline std::vector<std::string> malformed_requests() {
  const std::string post = "POST /v1/hold HTTP/1.1\r\nHost: x\r\n";
  return {
      "\r\n\r\n",
      "\n\n\n\n",
      std::string("\0\0\0\0\r\n\r\n", 8),
      "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 a TLS greeting \r\n\r\n",
      "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
      "SSH-2.0-OpenSSH_9.2\r\n\r\n",
      "{\"do\":\"stop\"}\r\n\r\n",
      "GET\r\n\r\n",
      "GET \r\n\r\n",
      "GET /v1/services\r\n\r\n",
      "GET /v1/services HTTP\r\n\r\n",
      "GET /v1/services HTTP/9.9\r\n\r\n",
      "GET /v1/services HTTP/1.1 x\r\n\r\n",
      "GET  /v1/services HTTP/1.1\r\n\r\n",
      "GET /v1/serv ices HTTP/1.1\r\n\r\n",
      "GET\t/v1/services\tHTTP/1.1\r\n\r\n",
      " GET /v1/services HTTP/1.1\r\n\r\n",
      "G\x01T /v1/services HTTP/1.1\r\n\r\n",
      "GET /v1/\x7fservices HTTP/1.1\r\n\r\n",
      "GET /v1/services HTTP/1.1\r\nno colon\r\n\r\n",
      "GET /v1/services HTTP/1.1\r\n: no name\r\n\r\n",
      "GET /v1/services HTTP/1.1\r\nbad name: x\r\n\r\n",
      "GET /v1/services HTTP/1.1\r\nHost: a\x01z\r\n\r\n",
      "GET /v1/services HTTP/1.1\r\nHost : x\r\n\r\n",
      "GET /v1/%zz HTTP/1.1\r\nHost: x\r\n\r\n",
      "GET /v1/nowhere HTTP/1.1\r\nHost: x\r\n\r\n",
      "GET * HTTP/1.1\r\nHost: x\r\n\r\n",
      "CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n",
      "BREW /v1/services HTTP/1.1\r\nHost: x\r\n\r\n",
      post + "Content-Length: x\r\n\r\n",
      post + "Content-Length: -1\r\n\r\n",
      post + "Content-Length: 1\r\nContent-Length: 2\r\n\r\n{}",
      post + "Content-Length: 99999999999999999999\r\n\r\n",
      post + "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}",
      post + "Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
      post + "Transfer-Encoding: chunked\r\n\r\n-2\r\n{}\r\n0\r\n\r\n",
      post + "Transfer-Encoding: chunked\r\n\r\n2\r\n{}xx0\r\n\r\n",
      post + "Content-Length: 1\r\n\r\n{",
      post + "Content-Length: 2\r\n\r\n\xff\xfe",
      post + "Content-Length: 9\r\n\r\n{\"for\":1e",
      "GET /" + std::string(9'000, 'a') + " HTTP/1.1\r\nHost: x\r\n\r\n",
      "GET / HTTP/1.1\r\nX: " + std::string(9'000, 'a') + "\r\n\r\n",
      std::string(9'000, 'A'),
      std::string(100'000, '\n'),
      post + "Content-Length: 65537\r\n\r\n",
      post + "Transfer-Encoding: chunked\r\n\r\n20000\r\n" + std::string(0x20000, ' ') + "\r\n0\r\n\r\n",
  };
}

/// Cut off in the middle: refused when the client has closed its side.
inline std::vector<std::string> truncated_requests() {
  const std::string whole = "POST /v1/hold HTTP/1.1\r\nHost: x\r\nContent-Length: 14\r\n\r\n{\"except\":\"hard\"}";
  std::vector<std::string> all;
  for (std::size_t length : {1u, 4u, 5u, 18u, 23u, 24u, 30u, 54u, 56u, 60u}) all.push_back(whole.substr(0, length));
  return all;
}

}  // namespace plimsoll::api
