package main

import (
	"net/http/httptest"
	"testing"
)

func TestHealth(t *testing.T) {
	answer := httptest.NewRecorder()
	handler().ServeHTTP(answer, httptest.NewRequest("GET", "/healthz", nil))
	if answer.Code != 200 {
		t.Fatalf("got %d", answer.Code)
	}
}
