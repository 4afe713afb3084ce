//! Configurations: what `proxy` promises of all, each proxy's in its own words.

use std::net::SocketAddr;
use std::path::Path;

use crate::scenario::Mode;
use crate::wire::BOTH;
use crate::wire::CERT;
use crate::wire::KEY;

pub(crate) fn tidegate(
    mode: Mode,
    folder: &Path,
    listen: SocketAddr,
    origin: SocketAddr,
) -> String {
    let folder = folder.display();
    let tls = match mode {
        Mode::Http | Mode::Tcp => String::new(),
        Mode::Tls => {
            format!("tls = [{{ cert = \"{folder}/{CERT}\", key = \"{folder}/{KEY}\" }}]\n")
        }
    };
    let name = match mode {
        Mode::Http | Mode::Tls => "http",
        Mode::Tcp => "tcp",
    };
    format!(
        "max_connections = 9000
[[listener]]
listen = \"{listen}\"
mode = \"{name}\"
request_id = \"off\"
{tls}[pool.origin]
backends = [\"{name}://{origin}\"]
[pool.origin.health]
probe = \"off\"
[pool.origin.reuse]
idle = 10000
"
    )
}

pub(crate) fn nginx(mode: Mode, folder: &Path, listen: SocketAddr, origin: SocketAddr) -> String {
    let folder = folder.display();
    let tls = match mode {
        Mode::Http | Mode::Tcp => String::new(),
        Mode::Tls => format!(
            " ssl; ssl_certificate {folder}/{CERT}; ssl_certificate_key {folder}/{KEY}; \
             ssl_protocols TLSv1.3"
        ),
    };
    let room = match mode {
        Mode::Http | Mode::Tls => format!(
            "http {{
  access_log off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  client_max_body_size 0;
  keepalive_requests 1000000000;
  keepalive_timeout 300s;
  upstream origin {{
    server {origin};
    keepalive 10000; keepalive_requests 1000000000;
  }}
  server {{
    listen {listen} backlog=4096{tls};
    location / {{
      proxy_pass http://origin;
      proxy_http_version 1.1;
      proxy_set_header Connection \"\";
      proxy_set_header Host $host;
      proxy_set_header X-Forwarded-For $remote_addr;
      proxy_request_buffering off;
      proxy_max_temp_file_size 0;
    }}
  }}
}}"
        ),
        Mode::Tcp => format!(
            "stream {{
  access_log off;
  server {{ listen {listen} backlog=4096; proxy_pass {origin}; }}
}}"
        ),
    };
    // Debian's nginx has its stream module in a file of its own.
    let module = Path::new("/usr/lib/nginx/modules/ngx_stream_module.so");
    let module = if mode == Mode::Tcp && module.exists() {
        format!("load_module {};\n", module.display())
    } else {
        String::new()
    };
    format!(
        "{module}daemon off; worker_processes 1; pid {folder}/pid; error_log stderr error;
events {{ worker_connections 20000; }}
{room}
"
    )
}

pub(crate) fn haproxy(mode: Mode, folder: &Path, listen: SocketAddr, origin: SocketAddr) -> String {
    let tls = match mode {
        Mode::Http | Mode::Tcp => String::new(),
        Mode::Tls => format!(" ssl crt {}/{BOTH} ssl-min-ver TLSv1.3", folder.display()),
    };
    let how = match mode {
        Mode::Http | Mode::Tls => {
            "mode http\n  option http-keep-alive\n  http-reuse always\n  option forwardfor\n  \
             option splice-auto"
        }
        Mode::Tcp => "mode tcp\n  option splice-request\n  option splice-response",
    };
    format!(
        "global
  nbthread 1
  maxconn 9000
  maxpipes 64
defaults
  {how}
  timeout connect 5s
  timeout client 300s
  timeout server 300s
  no log
frontend clients
  bind {listen} backlog 4096{tls}
  default_backend origins
backend origins
  server origin {origin}
"
    )
}

pub(crate) fn caddy(mode: Mode, listen: SocketAddr, origin: SocketAddr) -> Option<String> {
    let port = listen.port();
    (mode == Mode::Http).then(|| {
        format!(
            "{{
  admin off
  auto_https off
}}
http://localhost:{port} {{
  bind {ip}
  reverse_proxy {origin} {{
    transport http {{
      keepalive 300s
      keepalive_idle_conns 10000
      keepalive_idle_conns_per_host 10000
      compression off
    }}
  }}
}}
",
            ip = listen.ip()
        )
    })
}

pub(crate) fn sozu(mode: Mode, folder: &Path, listen: SocketAddr, origin: SocketAddr) -> String {
    let protocol = match mode {
        Mode::Http | Mode::Tls => "http",
        Mode::Tcp => "tcp",
    };
    let hostname = match mode {
        Mode::Http | Mode::Tls => ", hostname = \"localhost\"",
        Mode::Tcp => "",
    };
    format!(
        "command_socket = \"{folder}/sock\"
saved_state = \"{folder}/state.json\"
log_level = \"error\"
log_target = \"stdout\"
worker_count = 1
worker_automatic_restart = false
max_connections = 9000
activate_listeners = true

[[listeners]]
protocol = \"{protocol}\"
address = \"{listen}\"

[clusters.origins]
protocol = \"{protocol}\"
frontends = [ {{ address = \"{listen}\"{hostname} }} ]
backends = [ {{ address = \"{origin}\" }} ]
",
        folder = folder.display()
    )
}

pub(crate) fn envoy(mode: Mode, listen: SocketAddr, origin: SocketAddr) -> String {
    let filter = match mode {
        Mode::Http | Mode::Tls => {
            "      - name: envoy.filters.network.http_connection_manager
        typed_config:
          \"@type\": type.googleapis.com/envoy.extensions.filters.network.\
                        http_connection_manager.v3.HttpConnectionManager
          stat_prefix: bench
          use_remote_address: true
          generate_request_id: false
          http_filters:
          - name: envoy.filters.http.router
            typed_config:
              \"@type\": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router
          route_config:
            virtual_hosts:
            - name: all
              domains: [\"*\"]
              routes: [{ match: { prefix: \"/\" }, route: { cluster: origins } }]"
        }
        Mode::Tcp => {
            "      - name: envoy.filters.network.tcp_proxy
        typed_config:
          \"@type\": type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy
          stat_prefix: bench
          cluster: origins"
        }
    };
    let (at, to) = (place(listen), place(origin));
    format!(
        "static_resources:
  listeners:
  - address: {at}
    tcp_backlog_size: 4096
    filter_chains:
    - filters:
{filter}
  clusters:
  - name: origins
    type: STATIC
    connect_timeout: 5s
    circuit_breakers:
      thresholds: [{{ max_connections: 20000, max_pending_requests: 20000, max_requests: 20000 }}]
    load_assignment:
      cluster_name: origins
      endpoints: [{{ lb_endpoints: [{{ endpoint: {{ address: {to} }} }}] }}]
"
    )
}

fn place(address: SocketAddr) -> String {
    let (ip, port) = (address.ip(), address.port());
    format!("{{ socket_address: {{ address: {ip}, port_value: {port} }} }}")
}

pub(crate) fn traefik(mode: Mode, folder: &Path, listen: SocketAddr) -> String {
    let name = match mode {
        Mode::Http | Mode::Tls => "web",
        Mode::Tcp => "raw",
    };
    format!(
        "global: {{ checkNewVersion: false, sendAnonymousUsage: false }}
log: {{ level: ERROR }}
entryPoints:
  {name}: {{ address: \"{listen}\" }}
serversTransport: {{ maxIdleConnsPerHost: 10000 }}
providers:
  file: {{ filename: \"{folder}/routes.yaml\", watch: false }}
",
        folder = folder.display()
    )
}

/// The other half of Traefik's configuration.
pub(crate) fn traefik_routes(mode: Mode, origin: SocketAddr) -> String {
    match mode {
        Mode::Http | Mode::Tls => format!(
            "http:
  routers:
    all: {{ rule: \"PathPrefix(`/`)\", entryPoints: [web], service: origins }}
  services:
    origins: {{ loadBalancer: {{ servers: [{{ url: \"http://{origin}\" }}] }} }}
"
        ),
        Mode::Tcp => format!(
            "tcp:
  routers:
    all: {{ rule: \"HostSNI(`*`)\", entryPoints: [raw], service: origins }}
  services:
    origins: {{ loadBalancer: {{ servers: [{{ address: \"{origin}\" }}] }} }}
"
        ),
    }
}
