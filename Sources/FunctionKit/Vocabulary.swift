// A function imports FunctionKit and nothing else: scopes, reasons and decisions come with it, so
// that what a function can name is what this module shows it.

@_exported public import Suppression
