// Configures the viewer: no request leaves this origin, no API key is asked for or stored.
// https://scalar.com/products/api-references/configuration
Scalar.createApiReference("#reference", {
  url: "/openapi.json",
  withDefaultFonts: false,
  telemetry: false,
  agent: { disabled: true },
  mcp: { disabled: true },
  hideClientButton: true,
  hideTestRequestButton: true,
  showDeveloperTools: "never",
  persistAuth: false,
  defaultOpenAllTags: true,
  // Names in a table stay whole; a long path in a list of operations goes on in the next line.
  customCss: `
    .markdown td code { white-space: nowrap; word-break: normal; }
    .endpoint-path { white-space: normal; overflow-wrap: anywhere; min-width: 0; }
  `,
});
