// Go's net/http. Reads the lines that test_clients.py wrote, and prints for each the answer's status and body.
package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
)

func main() {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(read(os.Args[2]))
	client := http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}
	for _, line := range strings.Split(strings.TrimSpace(string(read(os.Args[1]))), "\n") {
		field := strings.Split(line, "\t")
		query := url.Values{"key": {field[4]}, "headers": {field[5]}}
		request, err := http.NewRequest("POST", field[0]+"?"+query.Encode(), bytes.NewReader(read(field[3])))
		check(err)
		request.Header.Set("Authorization", "Bearer "+field[1])
		request.Header.Set("Content-Type", field[2])
		answer, err := client.Do(request)
		check(err)
		body, err := io.ReadAll(answer.Body)
		check(err)
		answer.Body.Close()
		fmt.Printf("%d\t%s\n", answer.StatusCode, body)
	}
}

func read(path string) []byte {
	content, err := os.ReadFile(path)
	check(err)
	return content
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
