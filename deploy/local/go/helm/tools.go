//go:build tools

// Package tools pins the command that the local platform builds here.
package tools

import _ "helm.sh/helm/v3/cmd/helm"
